package config

import (
	"sync"
	"sync/atomic"
)

// Store holds the configuration in force. It does not care where one comes from: files today, a shared store later.
// All methods are safe for concurrent use.
type Store struct {
	mu      sync.Mutex // orders Replace
	current atomic.Pointer[Revision]
}

// Revision is a configuration and its place in the sequence of those that were in force.
type Revision struct {
	Number uint64 // from 1
	Config *Config
}

// NewStore returns a store whose first revision is c.
func NewStore(c *Config) *Store {
	s := &Store{}
	s.current.Store(&Revision{Number: 1, Config: c})
	return s
}

// Current returns the revision in force.
func (s *Store) Current() Revision { return *s.current.Load() }

// Replace puts c in force and returns its revision's number.
func (s *Store) Replace(c *Config) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := &Revision{Number: s.current.Load().Number + 1, Config: c}
	s.current.Store(next)
	return next.Number
}
