package explain

import (
	"reflect"
	"strings"

	"cutaway/final/plan"
)

// A step prints itself with the values that it has. To have it print shell
// variables instead, its values are exchanged for placeholders: words that every
// chapter takes for plain, and that are made into variables afterwards.
//
//	/run/cutaway/netns/4f2a ─ renamed ─▶ /__T__/netns ─ String ─▶ … --net=/__T__/netns ─ expand ─▶ … "--net=$T/netns"

// placeholders become variables. The slash before some of them belongs to it:
// those variables hold absolute paths.
var placeholders = strings.NewReplacer(
	"/__T__", "$T", "/__R__", "$R", "/__L__", "$L", "/__U__", "$U", "/__W__", "$W",
	"/__AT__", "$at", "/__PATH__", "$path", "__CG__", "$CG", "__VETH__", "$VETH",
)

// renamed is a copy of a step in which every string is replaced.
func renamed(s plan.Step, r *strings.Replacer) plan.Step {
	v := reflect.New(reflect.TypeOf(s)).Elem()
	v.Set(replaced(reflect.ValueOf(s), r))
	return v.Interface().(plan.Step)
}

func replaced(v reflect.Value, r *strings.Replacer) reflect.Value {
	switch {
	case v.Kind() == reflect.String:
		return reflect.ValueOf(r.Replace(v.String())).Convert(v.Type())
	case v.Kind() == reflect.Slice && !v.IsNil():
		list := reflect.MakeSlice(v.Type(), 0, v.Len())
		for i := range v.Len() {
			list = reflect.Append(list, replaced(v.Index(i), r))
		}
		return list
	case v.Kind() == reflect.Struct:
		out := reflect.New(v.Type()).Elem()
		out.Set(v)
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				out.Field(i).Set(replaced(v.Field(i), r))
			}
		}
		return out
	}
	return v
}

// word is a word of a command line, as it is written and as the shell reads it.
type word struct{ raw, value strings.Builder }

// take writes the word, in double quotes if a variable is in it, and begins a new one.
func (w *word) take(out *strings.Builder) {
	value := placeholders.Replace(escape.Replace(w.value.String()))
	if value == escape.Replace(w.value.String()) {
		out.WriteString(w.raw.String())
	} else {
		out.WriteString(`"` + value + `"`)
	}
	*w = word{}
}

// escape keeps double quotes from giving a character a meaning.
var escape = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", `\$`, "`", "\\`")

// expand makes variables of the placeholders in a command. What is in a here
// document stays as it is.
func expand(command string) string {
	var out strings.Builder
	var w word
	for i := 0; i < len(command); i++ {
		c := command[i]
		switch {
		case strings.HasPrefix(command[i:], "<<'EOF'"):
			w.take(&out)
			return out.String() + command[i:]
		case strings.IndexByte(" \n;&|()<>\"`", c) >= 0:
			w.take(&out)
			out.WriteByte(c)
		case c == '\'' && strings.Contains(command[i+1:], "'"):
			text, _, _ := strings.Cut(command[i+1:], "'")
			w.raw.WriteString("'" + text + "'")
			w.value.WriteString(text)
			i += len(text) + 1
		case c == '\\' && i+1 < len(command):
			w.raw.WriteString(command[i : i+2])
			w.value.WriteByte(command[i+1])
			i++
		default:
			w.raw.WriteByte(c)
			w.value.WriteByte(c)
		}
	}
	w.take(&out)
	return out.String()
}

// commands takes a line apart at a separator that is outside of quotes and braces.
func commands(line, separator string) []string {
	var list []string
	quoted, depth, begin := false, 0, 0
	for i := 0; i < len(line); i++ {
		switch {
		case line[i] == '\'':
			quoted = !quoted
		case quoted:
		case line[i] == '{':
			depth++
		case line[i] == '}':
			depth--
		case depth == 0 && strings.HasPrefix(line[i:], separator):
			list = append(list, line[begin:i])
			begin = i + len(separator)
			i = begin - 1
		}
	}
	return append(list, line[begin:])
}
