// Reads YAML back with the two readers of the Go world: the older one decides what kubectl and Prometheus see, the newer
// one what recent tools see.
//
// Standard input holds one JSON object a line: {"yaml": text, "value": what the text must mean}. Every text that is read
// as something else is named on standard error, and the exit status is 1.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"reflect"
	"strconv"

	yaml2 "gopkg.in/yaml.v2"
	yaml3 "gopkg.in/yaml.v3"
)

type document struct {
	YAML  string      `json:"yaml"`
	Value interface{} `json:"value"`
}

// plain turns maps and numbers into one form, keeping the difference between text, number and truth.
func plain(value interface{}) interface{} {
	switch v := value.(type) {
	case map[interface{}]interface{}:
		out := map[string]interface{}{}
		for key, item := range v {
			out[fmt.Sprintf("%T %v", key, key)] = plain(item)
		}
		return out
	case map[string]interface{}:
		out := map[string]interface{}{}
		for key, item := range v {
			out["string "+key] = plain(item)
		}
		return out
	case []interface{}:
		out := make([]interface{}, len(v))
		for i, item := range v {
			out[i] = plain(item)
		}
		return out
	case json.Number:
		if _, err := strconv.ParseUint(v.String(), 10, 64); err == nil {
			return "number " + v.String()
		}
		if _, err := strconv.ParseInt(v.String(), 10, 64); err == nil {
			return "number " + v.String()
		}
		float, _ := v.Float64()
		return fmt.Sprintf("float %v", float)
	case int, int64, uint64:
		return fmt.Sprintf("number %d", v)
	case float64:
		return fmt.Sprintf("float %v", v)
	case string:
		return "string " + v
	case bool, nil:
		return v
	default:
		return fmt.Sprintf("%T %v", v, v)
	}
}

func main() {
	readers := []struct {
		name string
		read func([]byte, interface{}) error
	}{{"yaml.v2", yaml2.Unmarshal}, {"yaml.v3", yaml3.Unmarshal}}
	input := bufio.NewReaderSize(os.Stdin, 1<<20)
	count, failures := 0, 0
	for {
		line, err := input.ReadBytes('\n')
		if len(bytes.TrimSpace(line)) > 0 {
			count++
			var doc document
			decoder := json.NewDecoder(bytes.NewReader(line))
			decoder.UseNumber()
			if err := decoder.Decode(&doc); err != nil {
				fmt.Fprintf(os.Stderr, "document %d: %v\n", count, err)
				os.Exit(2)
			}
			for _, reader := range readers {
				var read interface{}
				if err := reader.read([]byte(doc.YAML), &read); err != nil {
					failures++
					fmt.Fprintf(os.Stderr, "%s: %v in %q\n", reader.name, err, doc.YAML)
				} else if !reflect.DeepEqual(plain(read), plain(doc.Value)) {
					failures++
					fmt.Fprintf(os.Stderr, "%s reads something else: %q\n", reader.name, doc.YAML)
				}
			}
		}
		if err == io.EOF {
			break
		} else if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
	}
	if failures > 0 {
		fmt.Fprintf(os.Stderr, "%d of %d documents changed\n", failures, count)
		os.Exit(1)
	}
	fmt.Printf("%d documents read back\n", count)
}
