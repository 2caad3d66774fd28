package config

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// StdinName is the name of standard input among sources and in problems.
const StdinName = "-"

// ReadPaths reads the files that paths stand for, in order. A directory stands for its *.json files, sorted by name,
// not those of its subdirectories, following symbolic links, without names that begin with a dot. "-" is standard
// input. What cannot be read is reported and left out.
func ReadPaths(paths []string) ([]Source, []Problem) {
	var srcs []Source
	var problems []Problem
	for _, path := range paths {
		names, err := filesOf(path)
		if err != nil {
			problems = append(problems, unreadable(path, err))
		}
		for _, name := range names {
			data, err := readFile(name)
			if err != nil {
				problems = append(problems, unreadable(name, err))
				continue
			}
			srcs = append(srcs, Source{Name: name, Data: data})
		}
	}
	return srcs, problems
}

func readFile(name string) ([]byte, error) {
	if name == StdinName {
		return io.ReadAll(os.Stdin)
	}
	return os.ReadFile(name)
}

var errNoJSON = errors.New("the directory holds no *.json file")

// filesOf lists the files that one argument stands for.
func filesOf(path string) ([]string, error) {
	if path == StdinName {
		return []string{path}, nil
	}
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		return []string{path}, nil // reading it gives the better message
	}
	entries, err := os.ReadDir(path) // sorted by name
	if err != nil {
		return nil, err
	}
	var files []string
	for _, e := range entries {
		name := filepath.Join(path, e.Name())
		if filepath.Ext(name) == ".json" && !strings.HasPrefix(e.Name(), ".") && !isDir(name) {
			files = append(files, name)
		}
	}
	if files == nil {
		return nil, errNoJSON
	}
	return files, nil
}

func isDir(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}

func unreadable(name string, err error) Problem {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		err = pathError.Err
	}
	return Problem{Pos: Position{File: name}, What: "cannot be read: " + err.Error(), Want: "a JSON file, or a directory of *.json files"}
}
