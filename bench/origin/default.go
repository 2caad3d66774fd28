package origin

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// NameField is the answer field in which the default handler names itself.
const NameField = "Origin-Name"

// Default is the handler of a well-behaved origin that names itself in every answer:
//
//	/                the name; any path not listed answers the same
//	/head            the request head as it arrived
//	/echo            the request's body, framed as it came
//	/sink            reads the body, answers its size and CRC-32C as JSON
//	/bytes/N         N bytes of the pattern; /bytes/N?chunked in chunks with the CRC-32C in the trailer
//	/status/503      that status
//	/delay/250ms     the name, later
//	/redirect?to=/x  302 to /x; &status=307 for another code
//	/trailers        a chunked answer with a trailer
//	/ws              a WebSocket that echoes; /upgrade the same without frames
func Default(name string) Handler {
	named := F(NameField, name, "Content-Type", "text/plain; charset=utf-8")
	hello := AfterBody(Answer(http.StatusOK, named, name+"\n"))
	return func(r *Request) Action {
		head, rest, _ := strings.Cut(strings.TrimPrefix(r.Path, "/"), "/")
		switch head {
		case "head":
			return AfterBody(Answer(http.StatusOK, named, string(r.Head)))
		case "echo":
			return Echo(named)
		case "sink":
			return Sink(F(NameField, name))
		case "bytes":
			return bytesByPath(name, rest, r.Query)
		case "status":
			return statusByPath(named, rest)
		case "delay":
			if d, err := time.ParseDuration(rest); err == nil {
				return Delay(d, hello)
			}
			return Answer(http.StatusNotFound, named, "ask for /delay/250ms\n")
		case "redirect":
			return redirectByQuery(r.Query)
		case "trailers":
			return AfterBody(Chunked(named, F("X-Trailer", "the end"), name, "\n"))
		case "ws":
			return WebSocket()
		case "upgrade":
			return Upgrade(F(NameField, name))
		}
		return hello
	}
}

func bytesByPath(name, rest, query string) Action {
	n, err := strconv.ParseInt(rest, 10, 64)
	if err != nil || n < 0 {
		return Answer(http.StatusNotFound, nil, "ask for /bytes/N\n")
	}
	if query == "chunked" {
		return BytesChunked(F(NameField, name), n)
	}
	return Bytes(F(NameField, name), n)
}

func statusByPath(named Fields, rest string) Action {
	code, err := strconv.Atoi(rest)
	if err != nil || code < 200 || code > 999 {
		return Answer(http.StatusNotFound, named, "ask for /status/200 to /status/999\n")
	}
	return AfterBody(Answer(code, named, fmt.Sprintf("%d %s\n", code, http.StatusText(code))))
}

func redirectByQuery(query string) Action {
	status, to := http.StatusFound, "/"
	for pair := range strings.SplitSeq(query, "&") {
		switch key, value, _ := strings.Cut(pair, "="); key {
		case "to":
			to = value
		case "status":
			if code, err := strconv.Atoi(value); err == nil && code >= 300 && code <= 399 {
				status = code
			}
		}
	}
	return Redirect(status, to)
}

// Echo answers 200 with the request's body as it arrives, with the length the request had, or in chunks.
func Echo(fields Fields) Action {
	return func(x *Exchange) error {
		if !x.Request.Chunked() {
			head := x.head(http.StatusOK, fields)
			if _, err := x.Write(fmt.Appendf(head, "Content-Length: %d\r\n\r\n", x.Request.Length)); err != nil {
				return err
			}
			if x.Request.Method == http.MethodHead {
				return nil
			}
			_, err := io.Copy(x, io.LimitReader(x, x.Request.Length))
			return err
		}
		out, err := x.beginChunks(fields)
		if err != nil || x.Request.Method == http.MethodHead {
			return err
		}
		if _, err := io.Copy(out, x); err != nil {
			return err
		}
		return out.end(x.Trailer())
	}
}
