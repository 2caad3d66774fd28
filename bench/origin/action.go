package origin

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Action answers one request, or does not. It may keep the connection (nil), or end it (ErrClose, ErrReset, any other
// error). Actions that take an Action wrap it, and compose: Delay(d, ResetAfter(7, Answer(200, nil, "hello"))).
type Action func(x *Exchange) error

// Always answers every request the same way.
func Always(a Action) Handler { return func(*Request) Action { return a } }

// Sequence plays each of first once, in the order requests arrive, and rest for ever after.
func Sequence(rest Handler, first ...Action) Handler {
	turns := make(chan Action, len(first))
	for _, a := range first {
		turns <- a
	}
	return func(r *Request) Action {
		select {
		case a := <-turns:
			return a
		default:
			return rest(r)
		}
	}
}

// OnPath plays an action for some paths and leaves the others to rest.
func OnPath(actions map[string]Action, rest Handler) Handler {
	return func(r *Request) Action {
		if a, found := actions[r.Path]; found {
			return a
		}
		return rest(r)
	}
}

// Slow delays every answer of a handler.
func Slow(d time.Duration, h Handler) Handler {
	return func(r *Request) Action { return Delay(d, h(r)) }
}

// Answer answers with a length and exactly the given fields: no Date, no Server, no Content-Type of its own.
// Content-Length is left out where the caller gives it (any value, as it stands) and for 204 and 304; the body is left
// out for those two and for HEAD.
func Answer(status int, fields Fields, body string) Action {
	return func(x *Exchange) error {
		bodyless := status == http.StatusNoContent || status == http.StatusNotModified
		head := x.head(status, fields)
		if !bodyless && !fields.Has("Content-Length") {
			head = append(head, "Content-Length: "+strconv.Itoa(len(body))+"\r\n"...)
		}
		head = append(head, "\r\n"...)
		if !bodyless && x.Request.Method != http.MethodHead {
			head = append(head, body...)
		}
		_, err := x.Write(head)
		return err
	}
}

// head begins an answer's head, up to but without its empty line, and notes what it says about the connection.
func (x *Exchange) head(status int, fields Fields) []byte {
	var head []byte
	head = fmt.Appendf(head, "%s %d %s\r\n", x.version, status, http.StatusText(status))
	head = fields.append(head)
	switch {
	case fields.hasToken("Connection", "close"):
		x.last = true
	case fields.Has("Connection"):
	case !x.Request.keepAlive() || x.body.beforeRead != nil: // the latter: whether a body follows is unknown
		head = append(head, "Connection: close\r\n"...)
	case x.Request.Version == "HTTP/1.0" || x.version == "HTTP/1.0":
		head = append(head, "Connection: keep-alive\r\n"...)
	}
	return head
}

// Raw sends bytes as they are and keeps the connection.
func Raw(message string) Action {
	return func(x *Exchange) error {
		_, err := io.WriteString(x, message)
		return err
	}
}

// Delay waits before it acts.
func Delay(d time.Duration, a Action) Action {
	return func(x *Exchange) error {
		if err := x.Sleep(d); err != nil {
			return err
		}
		return a(x)
	}
}

// AfterBody reads the whole request before it acts; Answer alone answers early.
func AfterBody(a Action) Action {
	return func(x *Exchange) error {
		if _, err := io.Copy(io.Discard, x); err != nil {
			return err
		}
		return a(x)
	}
}

// Chunked answers 200 in chunks, one write each, and a trailer, which the Trailer field announces.
func Chunked(fields, trailer Fields, chunks ...string) Action {
	return func(x *Exchange) error {
		var names []string
		for _, f := range trailer {
			names = append(names, f.Name)
		}
		if len(names) > 0 {
			fields = append(fields[:len(fields):len(fields)], Field{"Trailer", strings.Join(names, ", ")})
		}
		out, err := x.beginChunks(fields)
		if err != nil || x.Request.Method == http.MethodHead {
			return err
		}
		for _, chunk := range chunks {
			if _, err := io.WriteString(out, chunk); err != nil {
				return err
			}
		}
		return out.end(trailer)
	}
}

// UntilClose answers without any framing; the end of the connection is the end of the body.
func UntilClose(status int, fields Fields, body string) Action {
	return func(x *Exchange) error {
		head := append(x.head(status, append(fields[:len(fields):len(fields)], Field{"Connection", "close"})), "\r\n"...)
		if x.Request.Method != http.MethodHead {
			head = append(head, body...)
		}
		if _, err := x.Write(head); err != nil {
			return err
		}
		return ErrClose
	}
}

// HTTP10 makes an action answer as an HTTP/1.0 server; it closes the connection unless the client asked to keep it.
func HTTP10(a Action) Action {
	return func(x *Exchange) error {
		x.version = "HTTP/1.0"
		if err := a(x); err != nil {
			return err
		}
		if !x.Request.Fields.hasToken("Connection", "keep-alive") {
			return ErrClose
		}
		return nil
	}
}

// Interim sends an interim answer such as 100 or 103, then acts.
func Interim(status int, fields Fields, a Action) Action {
	return func(x *Exchange) error {
		message := fmt.Appendf(nil, "HTTP/1.1 %d %s\r\n", status, http.StatusText(status))
		if _, err := x.Write(append(fields.append(message), "\r\n"...)); err != nil {
			return err
		}
		if status == http.StatusContinue && x.body.beforeRead != nil {
			x.body.beforeRead = nil // said by hand
		}
		return a(x)
	}
}

// Redirect answers with a Location.
func Redirect(status int, location string) Action {
	return Answer(status, F("Location", location), "")
}

// chunks frames every write as one chunk.
type chunks struct{ x *Exchange }

func (x *Exchange) beginChunks(fields Fields) (chunks, error) {
	head := x.head(http.StatusOK, fields)
	_, err := x.Write(append(head, "Transfer-Encoding: chunked\r\n\r\n"...))
	return chunks{x}, err
}

func (c chunks) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil // an empty chunk would end the body
	}
	framed := make([]byte, 0, len(p)+20)
	framed = fmt.Appendf(framed, "%x\r\n", len(p))
	framed = append(framed, p...)
	if _, err := c.x.Write(append(framed, "\r\n"...)); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (c chunks) end(trailer Fields) error {
	_, err := c.x.Write(append(trailer.append([]byte("0\r\n")), "\r\n"...))
	return err
}
