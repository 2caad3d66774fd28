package weir_test

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/weirlb/weir/balancer"
	"github.com/weirlb/weir/balancer/admin"
	"github.com/weirlb/weir/balancer/proxy"
	"github.com/weirlb/weir/balancer/proxy/wire"
	"github.com/weirlb/weir/balancer/rules"
	"github.com/weirlb/weir/config"
	"github.com/weirlb/weir/health"
)

// TestReasonsAreDocumented compares the closed sets of the code with the tables of docs/reasons.md, both ways: every
// token with its status, in the order of the code.
func TestReasonsAreDocumented(t *testing.T) {
	doc := tables(t, "docs/reasons.md")
	var decisions, classes, causes, probes []string
	for _, r := range balancer.Reasons() {
		decisions = append(decisions, r.Token)
	}
	for _, c := range balancer.Classes() {
		classes = append(classes, c.Token+" "+dash(c.Status))
	}
	for _, c := range wire.Causes() {
		causes = append(causes, c.String()+" "+dash(c.Status()))
	}
	probes = append(probes, health.Reasons()...)

	same(t, "Why a decision came out as it did", sorted(column(doc, "Why a decision came out as it did", false)), sorted(decisions))
	same(t, "How an exchange ended", column(doc, "How an exchange ended", true), classes)
	same(t, "Why a message was malformed", column(doc, "Why a message was malformed", true), causes)
	same(t, "Why a probe failed", column(doc, "Why a probe failed", false), probes)
}

// TestRulesAreCited holds every citation of a rule, in code and documents, against the headings of docs/behaviour.md.
func TestRulesAreCited(t *testing.T) {
	text, err := os.ReadFile("docs/behaviour.md")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^### ([A-Z]\d+) |^\| \*\*([A-Z]\d+)\*\* \|`).FindAllSubmatch(text, -1) {
		known[string(m[1])+string(m[2])] = true
	}
	if len(known) < 80 {
		t.Fatalf("docs/behaviour.md has %d rules: its headings no longer look as this test expects", len(known))
	}
	cited := regexp.MustCompile(`behaviour(?:\.md)?,? ((?:[A-Z]\d+(?:, | and | to |–|-|/)?)+)`)
	rule := regexp.MustCompile(`[A-Z]\d+`)
	for path, source := range files(t, func(path string) bool { return strings.HasSuffix(path, ".go") }) {
		for _, m := range cited.FindAllSubmatch(source, -1) {
			for _, r := range rule.FindAll(m[1], -1) {
				if !known[string(r)] {
					t.Errorf("%s cites behaviour %s, which docs/behaviour.md does not have", path, r)
				}
			}
		}
	}
}

// TestRulesOfDocumentsExist holds every mention of a rule in a document against the headings of docs/behaviour.md, and
// every heading of theirs against the marks: a rule says whether it is documented, observed or our choice.
func TestRulesOfDocumentsExist(t *testing.T) {
	known := map[string]string{}
	text, err := os.ReadFile("docs/behaviour.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, section := range strings.Split(string(text), "\n### ")[1:] {
		section, _, _ = strings.Cut(section, "\n## ")
		number, rest, _ := strings.Cut(section, " ")
		known[number] = rest
		if !regexp.MustCompile(`\*(?:documented|observed|our\s+choice)\*`).MatchString(rest) {
			t.Errorf("docs/behaviour.md %s has no mark", number)
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^\| \*\*([A-Z]\d+)\*\* \|`).FindAllStringSubmatch(string(text), -1) {
		known[m[1]] = m[0]
	}
	code := regexp.MustCompile("`[^`]*`")
	rule := regexp.MustCompile(`\b[A-Z]\d+\b`)
	for path, text := range files(t, func(path string) bool { return path == "README.md" || strings.HasPrefix(path, "docs/") }) {
		for _, r := range rule.FindAll(code.ReplaceAll(text, nil), -1) {
			if _, ok := known[string(r)]; !ok {
				t.Errorf("%s speaks of %s, which is no rule of docs/behaviour.md", path, r)
			}
		}
	}
}

// TestDataCentresAreCounted compares what G7 says of the table of data centres with the table.
func TestDataCentresAreCounted(t *testing.T) {
	doc, err := os.ReadFile("docs/behaviour.md")
	if err != nil {
		t.Fatal(err)
	}
	table, err := os.ReadFile("config/pops.csv")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`codes of (\d+)\s+data centres`).FindSubmatch(doc)
	if m == nil {
		t.Fatal("docs/behaviour.md G7 does not say how many data centres are built in")
	}
	if want := strconv.Itoa(strings.Count(string(table), "\n")); string(m[1]) != want {
		t.Errorf("docs/behaviour.md G7 speaks of %s data centres, and config/pops.csv has %s", m[1], want)
	}
}

// TestConditionsOfDocumentsCompile holds the fields of U5 and the examples of U6 against the language.
func TestConditionsOfDocumentsCompile(t *testing.T) {
	doc := tables(t, "docs/behaviour.md")
	use := map[string]string{
		"String": `%s eq "a"`, "Integer": "%s in {1..9}", "Address": "%s in {192.0.2.0/24}", "Array of String": `any(%s[*] eq "a")`,
	}
	var conditions []string
	for _, r := range doc["U5 Conditions: fields"] {
		for _, field := range strings.Split(r.token, "`, `") {
			conditions = append(conditions, fmt.Sprintf(use[r.cells[0]], field))
		}
	}
	if len(conditions) < 15 {
		t.Fatalf("docs/behaviour.md U5 has %d fields: its table no longer looks as this test expects", len(conditions))
	}
	for _, r := range doc["U6 Conditions: operators and functions"] {
		if strings.Contains(r.token, " eq ") || strings.Contains(r.token, " ne ") || strings.Contains(r.token, ` wildcard "`) {
			conditions = append(conditions, r.token)
		}
	}
	for _, c := range conditions {
		if _, err := rules.Compile(c); err != nil {
			t.Errorf("docs/behaviour.md writes %s: %v", c, err)
		}
	}
}

// TestLimitsAreDocumented compares the tables of T1 and T2 with the defaults of the code, in both profiles.
func TestLimitsAreDocumented(t *testing.T) {
	doc := tables(t, "docs/behaviour.md")
	known := map[string]string{}
	for _, d := range config.Defaults() {
		if key, ok := strings.CutPrefix(d.Field, "weir.timeouts."); ok {
			known[key] = plain(d.Value) + " " + plain(cmp.Or(d.Sidecar, d.Value))
		}
		if key, ok := strings.CutPrefix(d.Field, "weir.limits."); ok {
			known["limits."+key] = plain(d.Value)
		}
	}
	if len(known) < 15 {
		t.Fatalf("config.Defaults has %d timeouts and limits: their names no longer look as this test expects", len(known))
	}
	documented := map[string]string{}
	for _, r := range doc["T1 Timeouts"] {
		documented[r.token] = plain(r.cells[0]) + " " + plain(r.cells[1])
	}
	for _, r := range doc["T2 Limits"] {
		if value := plain(r.cells[0]); value != fromDescriptors {
			documented["limits."+r.token] = value
		}
	}
	if diff := gocmp.Diff(known, documented); diff != "" {
		t.Errorf("docs/behaviour.md T1 and T2 do not have the defaults of the code (-code +document):\n%s", diff)
	}
}

// TestInertFieldsAreDocumented compares the tables of I7 with the list of the code, both ways.
func TestInertFieldsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("docs/behaviour.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "### I7 ")
	section, _, _ = strings.Cut(section, "\n### ")
	inert, later, found := strings.Cut(section, "Arrives with a later release:")
	if !found {
		t.Fatal("docs/behaviour.md I7 has not the two tables that this test expects")
	}
	fields := regexp.MustCompile("(?m)^\\| `([a-z_.]+)` \\|")
	var documented, known []string
	for _, m := range fields.FindAllStringSubmatch(inert, -1) {
		documented = append(documented, m[1]+" inert")
	}
	for _, m := range fields.FindAllStringSubmatch(later, -1) {
		documented = append(documented, m[1]+" later")
	}
	for _, f := range config.InertFields() {
		if f.NotYet {
			known = append(known, f.Field+" later")
		} else {
			known = append(known, f.Field+" inert")
		}
	}
	if diff := gocmp.Diff(sorted(known), sorted(documented)); diff != "" {
		t.Errorf("docs/behaviour.md I7 does not list the fields of the code (-code +document):\n%s", diff)
	}
}

// fromDescriptors is what the document says of a limit that has no fixed default.
const fromDescriptors = "from the descriptor limit"

// plain is a duration or a size in one form: what a document writes as 15 min or 16 KiB, and what JSON does.
func plain(s string) string {
	s = strings.Trim(s, `"`)
	if kib, ok := strings.CutSuffix(s, " KiB"); ok {
		n, err := strconv.Atoi(kib)
		if err != nil {
			return s
		}
		return strconv.Itoa(n << 10)
	}
	if d, err := time.ParseDuration(strings.ReplaceAll(s, " ", "")); err == nil {
		return d.String()
	}
	return s
}

// TestLintRulesAreDocumented compares the table of docs/operating.md with the rules of the code.
func TestLintRulesAreDocumented(t *testing.T) {
	var known, documented []string
	for _, r := range config.LintRules() {
		known = append(known, r.ID+": "+r.Says)
	}
	for _, r := range tables(t, "docs/operating.md")["What check warns about"] {
		documented = append(documented, r.token+": "+r.cells[0])
	}
	if diff := gocmp.Diff(known, documented); diff != "" {
		t.Errorf("docs/operating.md does not list the rules of the code (-code +document):\n%s", diff)
	}
}

// TestMetricsAreDocumented compares the table of docs/operating.md with what the collectors say of themselves.
func TestMetricsAreDocumented(t *testing.T) {
	collectors := []prometheus.Collector{
		proxy.NewMetrics(1), &admin.World{}, admin.NewProbes(), &admin.Reloads{}, admin.NewDeliveries(), admin.BuildInfo(admin.Version{}),
	}
	self := regexp.MustCompile(`fqName: "([a-z_]+)".*variableLabels: \{([a-z_,]*)\}`)
	known, documented := map[string]string{}, map[string]string{}
	for _, c := range collectors {
		for _, d := range describe(c) {
			m := self.FindStringSubmatch(d)
			if m == nil {
				t.Fatalf("a metric describes itself as %q, which this test does not understand", d)
			}
			known[m[1]] = strings.ReplaceAll(m[2], ",", ", ")
		}
	}
	for _, r := range tables(t, "docs/operating.md")["Metrics"] {
		documented[r.token] = r.cells[0]
	}
	if diff := gocmp.Diff(known, documented); diff != "" {
		t.Errorf("docs/operating.md does not list the metrics of the code with their labels (-code +document):\n%s", diff)
	}
}

func describe(c prometheus.Collector) (all []string) {
	descriptions := make(chan *prometheus.Desc, 64)
	c.Describe(descriptions)
	close(descriptions)
	for d := range descriptions {
		all = append(all, d.String())
	}
	return all
}

// TestAccessLogIsDocumented compares the table of docs/operating.md with the fields of a line, in their order.
func TestAccessLogIsDocumented(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	log, err := proxy.OpenAccessLog(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	log.Observe(&proxy.Outcome{})
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	line, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var known, documented []string
	for _, m := range regexp.MustCompile(`"([a-z_]+)":`).FindAllSubmatch(line, -1) {
		known = append(known, string(m[1]))
	}
	for _, r := range tables(t, "docs/operating.md")["Logs"] {
		documented = append(documented, r.token)
	}
	if diff := gocmp.Diff(known, documented); diff != "" {
		t.Errorf("docs/operating.md does not list the fields of a line (-code +document):\n%s", diff)
	}
}

// TestFlagsAreDocumented compares the table of the README with what `weir serve --help` says.
func TestFlagsAreDocumented(t *testing.T) {
	help, err := exec.Command("go", "run", "./cmd/weir", "serve", "--help").CombinedOutput()
	if err != nil {
		t.Fatalf("go run ./cmd/weir serve --help: %v\n%s", err, help)
	}
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	flags := func(text []byte, line string) (names []string) {
		for _, m := range regexp.MustCompile(line).FindAllSubmatch(text, -1) {
			names = append(names, string(m[1]))
		}
		return slices.DeleteFunc(names, func(name string) bool { return name == "help" })
	}
	known := flags(help, `(?m)^ +(?:-\w, )?--([a-z-]+)`)
	documented := flags(readme, "(?m)^\\| `--([a-z-]+)")
	if diff := gocmp.Diff(known, documented); diff != "" || len(known) == 0 {
		t.Errorf("README.md does not list the flags of weir serve (-code +document):\n%s", diff)
	}
}

// TestDependenciesAreDocumented compares the README's table with what go.mod requires directly.
func TestDependenciesAreDocumented(t *testing.T) {
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	var known, documented []string
	for _, m := range regexp.MustCompile(`(?m)^\t(\S+) v\S+$`).FindAllSubmatch(mod, -1) {
		known = append(known, string(m[1]))
	}
	for _, r := range tables(t, "README.md")["Dependencies"] {
		documented = append(documented, r.token)
	}
	if diff := gocmp.Diff(sorted(known), sorted(documented)); diff != "" {
		t.Errorf("README.md does not list the direct requirements of go.mod (-go.mod +README):\n%s", diff)
	}
}

// TestLinksResolve follows every relative link of every document, down to the heading it names.
func TestLinksResolve(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)\s]*)\)`)
	documents := files(t, func(path string) bool { return strings.HasSuffix(path, ".md") })
	for path, text := range documents {
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			target, anchor, _ := strings.Cut(m[1], "#")
			if target = filepath.Join(filepath.Dir(path), target); strings.HasPrefix(m[1], "#") {
				target = path
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s, which is not there", path, m[1])
				continue
			}
			if anchor != "" && !slices.Contains(anchors(documents[target]), anchor) {
				t.Errorf("%s links to %s, and no heading of that document is so named", path, m[1])
			}
		}
	}
}

// anchors are the names that headings are linked by: lower case, without punctuation, hyphens for spaces.
func anchors(document []byte) (names []string) {
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllSubmatch(document, -1) {
		name := strings.ToLower(string(m[1]))
		name = regexp.MustCompile(`[^\p{L}\p{N}_ -]`).ReplaceAllString(name, "")
		names = append(names, strings.ReplaceAll(name, " ", "-"))
	}
	return names
}

// row is one line of a table: its first cell's token, and the cells after it.
type row struct {
	token string
	cells []string
}

// tables reads a document's tables by the headings they stand under, of level two and of level three. Rows that do not
// begin with a `token` are skipped.
func tables(t *testing.T, path string) map[string][]row {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]row{}
	var section, part string
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if h, ok := strings.CutPrefix(line, "## "); ok {
			section, part = h, ""
		}
		if h, ok := strings.CutPrefix(line, "### "); ok {
			part = h
		}
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		r := row{strings.Trim(cells[0], "`"), cells[1:]}
		found[section] = append(found[section], r)
		if part != "" {
			found[part] = append(found[part], r)
		}
	}
	return found
}

// column is the tokens under a heading, with their status when it is asked for.
func column(doc map[string][]row, heading string, status bool) []string {
	var out []string
	for _, r := range doc[heading] {
		if status {
			out = append(out, r.token+" "+r.cells[1])
			continue
		}
		out = append(out, r.token)
	}
	return out
}

func dash(status int) string {
	if status == 0 {
		return "–"
	}
	return fmt.Sprint(status)
}

func sorted(s []string) []string { return slices.Sorted(slices.Values(s)) }

func same(t *testing.T, heading string, documented, known []string) {
	t.Helper()
	for _, k := range known {
		if !slices.Contains(documented, k) {
			t.Errorf("docs/reasons.md, %q: %s is missing", heading, k)
		}
	}
	for _, d := range documented {
		if !slices.Contains(known, d) {
			t.Errorf("docs/reasons.md, %q: %s is not in the code", heading, d)
		}
	}
	if !t.Failed() && !slices.Equal(documented, known) {
		t.Errorf("docs/reasons.md, %q: not in the order of the code\n got %q\nwant %q", heading, documented, known)
	}
}
