package notify

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/weirlb/weir/config"
)

// longestSecret is more than a receiver's header limits let through.
const longestSecret = 4096

// Secrets are the values of cf-webhook-auth, one for each webhook that has one. They cannot be printed.
type Secrets struct{ byURL map[string]string }

// Format hides the secrets from every verb: fmt would walk into the map otherwise.
func (Secrets) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "REDACTED") }

// ReadSecrets reads the secrets of all webhooks from their files and environment variables (behaviour W7). The error
// names every webhook whose secret cannot be had, and why.
func ReadSecrets(hooks []config.Webhook) (Secrets, error) {
	s := Secrets{byURL: make(map[string]string, len(hooks))}
	var problems []error
	for i := range hooks {
		secret, err := readSecret(&hooks[i])
		if err != nil {
			problems = append(problems, fmt.Errorf("reading the secret of weir.notifications %d (%s): %w", i, labelOf(&hooks[i]), err))
			continue
		}
		s.byURL[hooks[i].URL] = secret
	}
	return s, errors.Join(problems...)
}

// readSecret answers "" for a webhook without a secret.
func readSecret(h *config.Webhook) (string, error) {
	var text, where string
	switch {
	case h.SecretFile != "":
		where = h.SecretFile
		var err error
		if text, err = readStart(h.SecretFile); err != nil {
			return "", err
		}
	case h.SecretEnv != "":
		where = "the environment variable " + h.SecretEnv
		text = os.Getenv(h.SecretEnv)
	default:
		return "", nil
	}
	secret := strings.TrimSpace(text)
	switch {
	case secret == "":
		return "", fmt.Errorf("%s is empty or not set; put a long random text there", where)
	case len(text) > longestSecret:
		return "", fmt.Errorf("%s holds more than %d bytes; put one secret there", where, longestSecret)
	case strings.ContainsFunc(secret, func(r rune) bool { return r < ' ' || r > '~' }):
		return "", fmt.Errorf("%s holds a text that a header field cannot carry; put one line of printable ASCII there", where)
	}
	return secret, nil
}

// readStart reads as much of a file as tells that it is too long.
func readStart(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, longestSecret+1))
	return string(text), err
}
