package main

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/weirlb/weir/config"
)

// What a key may be: enough that nobody guesses it, and a key rather than some other file.
const (
	shortestKey = 16
	longestKey  = 4096
)

// newSessionKey is 32 random bytes, as text, so that it can be kept in a file that people may look at.
func newSessionKey() []byte {
	var random [32]byte
	_, _ = rand.Read(random[:]) // never fails: the program ends instead
	return hex.AppendEncode(nil, random[:])
}

// readSessionKey reads the key that signs the cookies of sessions; nil when there is no such file, or none is named.
func readSessionKey(file string) ([]byte, error) {
	if file == "" {
		return nil, nil
	}
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading sessions.key_file: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, longestKey+1))
	if err != nil {
		return nil, fmt.Errorf("reading sessions.key_file: %w", err)
	}
	key := bytes.TrimSpace(text)
	if len(key) < shortestKey || len(text) > longestKey {
		return nil, fmt.Errorf("reading sessions.key_file: %s holds %d bytes; it must be %d to %d of them, best a random text of 64",
			file, len(key), shortestKey, longestKey)
	}
	return key, nil
}

// keepSessionKey reads the key, and makes the file when it is not there: with the key in use, so that its sessions
// outlive the change, or with a new one. Without a file the key in use stays, or there is a new one for this process.
func keepSessionKey(file string, inUse []byte) ([]byte, error) {
	if inUse == nil {
		inUse = newSessionKey()
	}
	if file == "" {
		return inUse, nil
	}
	key, err := readSessionKey(file)
	if err != nil || key != nil {
		return key, err
	}
	if err := createWhole(file, append(bytes.Clone(inUse), '\n')); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("making sessions.key_file: %w", err)
	}
	if key, err = readSessionKey(file); key == nil && err == nil { // another instance may have made it first
		err = fmt.Errorf("reading sessions.key_file: %s went away", file)
	}
	return key, err
}

// createWhole makes a file for its owner alone, unless there is one: whoever sees it sees all of it.
func createWhole(file string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(file), ".weir-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Link(f.Name(), file)
}

// pinsByCookie reports whether any load balancer has sessions that cookies carry.
func pinsByCookie(c *config.Config) bool {
	carried := func(affinity string) bool { return affinity == "cookie" || affinity == "ip_cookie" }
	for i := range c.LoadBalancers {
		lb := &c.LoadBalancers[i]
		if carried(lb.SessionAffinity) {
			return true
		}
		for j := range lb.Rules {
			if carried(lb.Rules[j].Overrides.SessionAffinity) {
				return true
			}
		}
	}
	return false
}
