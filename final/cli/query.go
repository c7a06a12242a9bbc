package cli

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	images "cutaway/05-images"
)

// Most flags are a parameter of the request's. Each of these functions reads one.

// text takes a word as it is.
func text(query url.Values, name string) func(string) error {
	return func(s string) error {
		query.Set(name, s)
		return nil
	}
}

// more is text for a flag that may be given several times.
func more(query url.Values, name string) func(string) error {
	return func(s string) error {
		query.Add(name, s)
		return nil
	}
}

// yes is for a flag that is on or off.
func yes(query url.Values, name string) func(string) error {
	return func(s string) error {
		on, err := strconv.ParseBool(s)
		query.Set(name, strconv.FormatBool(on))
		return err
	}
}

// bytesParam reads "64m" and the like.
func bytesParam(query url.Values, name string) func(string) error {
	return func(s string) error {
		var n int64
		err := bytesTo(&n)(s)
		query.Set(name, strconv.FormatInt(n, 10))
		return err
	}
}

// platform is --platform in the form that all but pull and create have it.
func platform(query url.Values) func(string) error {
	return func(s string) error {
		p, err := images.ParsePlatform(s)
		if err != nil || s == "" {
			return err
		}
		return asJSON(query, "platform", map[string]string{"os": p.OS, "architecture": p.Architecture, "variant": p.Variant})
	}
}

// filter is --filter: "status=exited" is {"status": {"exited": true}} for the API.
func filter(query url.Values) func(string) error {
	all := map[string]map[string]bool{}
	return func(s string) error {
		key, value, ok := strings.Cut(s, "=")
		if !ok {
			return fmt.Errorf("filter %q is not KEY=VALUE", s)
		}
		key = strings.ToLower(strings.TrimSpace(key))
		if all[key] == nil {
			all[key] = map[string]bool{}
		}
		all[key][strings.TrimSpace(value)] = true
		return asJSON(query, "filters", all)
	}
}

// setName adds the name of a new image, if there is one.
func setName(query url.Values, name []string) {
	if len(name) > 0 {
		repository, tag := splitTag(name[0])
		query.Set("repo", repository)
		query.Set("tag", tag)
	}
}

// set is text for what is no flag; an empty value is none.
func set(query url.Values, name, value string) {
	if value != "" {
		query.Set(name, value)
	}
}

// asJSON is how the API takes what is more than a word.
func asJSON(query url.Values, name string, value any) error {
	data, err := json.Marshal(value)
	query.Set(name, string(data))
	return err
}
