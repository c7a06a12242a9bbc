package daemon

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/moby/moby/api/types/common"
)

// maxBody is the size in bytes of the largest JSON body that is read.
const maxBody = 4 << 20

// decode reads a JSON body into v. Anything but application/json is refused:
// that is what a browser cannot send to another site without asking first.
func decode(w http.ResponseWriter, r *http.Request, v any) error {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return Errorf(Invalid, "unsupported Content-Type header (%s): must be 'application/json'", r.Header.Get("Content-Type"))
	}
	body := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	if err := body.Decode(v); err != nil {
		return badBody(err)
	}
	if _, err := body.Token(); !errors.Is(err, io.EOF) {
		return Errorf(Invalid, "invalid JSON: unexpected content after the value")
	}
	return nil
}

func badBody(err error) error {
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return Errorf(Invalid, "request body is larger than %d bytes", tooLarge.Limit)
	}
	if errors.Is(err, io.EOF) {
		return Errorf(Invalid, "invalid JSON: got EOF while reading request body")
	}
	return Errorf(Invalid, "invalid JSON: %w", err)
}

// reply writes v as JSON.
func reply(w http.ResponseWriter, status int, v any) error {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false) // "<" stays "<", as in moby's httputils.WriteJSON
	return out.Encode(v)
}

// replyError writes what the client prints after "Error response from daemon: ".
func replyError(w http.ResponseWriter, err error) {
	status := Status(err)
	if status == http.StatusNotModified {
		w.WriteHeader(status) // has no body, RFC 9110 section 15.4.5
		return
	}
	topic := TopicOf(err)
	_ = reply(w, status, errorAnswer{common.ErrorResponse{Message: err.Error()}, topic.ID, topic.Chapter}) // the client may be gone
}

// errorAnswer is Docker's answer and, for those who ask, where it is explained.
type errorAnswer struct {
	common.ErrorResponse
	ID      string `json:"id,omitempty"`
	Chapter string `json:"chapter,omitempty"`
}

// name is the container, exec or image that the path names.
func name(r *http.Request) string { return r.PathValue("name") }

// query is a parameter in the URL. (FormValue would read the body, too.)
func query(r *http.Request, key string) string { return r.URL.Query().Get(key) }

// flag reads a boolean as Docker does: absent, "", 0, no, false and none are false.
func flag(r *http.Request, key string) bool {
	switch strings.ToLower(strings.TrimSpace(query(r, key))) {
	case "", "0", "no", "false", "none":
		return false
	}
	return true
}

// number reads an integer; nil if it is absent.
func number(r *http.Request, key string) (*int, error) {
	s := query(r, key)
	if s == "" {
		return nil, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		return nil, Errorf(Invalid, "invalid %s %q: must be a number", key, s)
	}
	return &n, nil
}

// moment reads a time: seconds since 1970, with or without a fraction, or RFC 3339.
func moment(r *http.Request, key string) (time.Time, error) {
	s := query(r, key)
	if s == "" || s == "0" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t, nil
	}
	whole, fraction, _ := strings.Cut(s, ".")
	seconds, err := strconv.ParseInt(whole, 10, 64)
	nanos, errNanos := strconv.ParseUint((fraction + "000000000")[:9], 10, 32)
	if err != nil || errNanos != nil {
		return time.Time{}, Errorf(Invalid, "invalid %s %q: must be seconds since 1970 or RFC 3339", key, s)
	}
	return time.Unix(seconds, int64(nanos)), nil
}
