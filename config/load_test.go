package config

import (
	"os"
	"testing"
)

func TestSmoke(t *testing.T) {
	data, err := os.ReadFile("testdata/pool_details.json")
	if err != nil {
		t.Fatal(err)
	}
	c, ps := Load([]Source{{"testdata/pool_details.json", data}}, Options{})
	for _, p := range ps {
		t.Log(p)
	}
	if c == nil {
		t.Fatal("no config")
	}
	t.Logf("%s", c.JSON(false))
	c2, ps := Load([]Source{{"again", c.JSON(false)}}, Options{})
	for _, p := range ps {
		t.Log(p)
	}
	if c2 == nil {
		t.Fatal("no config")
	}
}
