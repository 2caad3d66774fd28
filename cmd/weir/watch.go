package main

import (
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
	"go.uber.org/zap"

	"github.com/weirlb/weir/config"
)

// Writing a file is many events. A change is told when they pause, and when they do not, every now and then.
const (
	settleFor = 200 * time.Millisecond
	settleMax = time.Second
)

// watcher tells when something happened in the directories of the files it follows. Directories, not files: editors
// and configuration maps replace files, and a watch would stay with the old one. Whether anything that matters has
// changed is for the listener to find out.
type watcher struct {
	changed chan struct{} // something happened; one is kept
	notify  *fsnotify.Watcher
	log     *zap.Logger
	done    chan struct{}

	mu   sync.Mutex // guards dirs
	dirs []string
}

func newWatcher(log *zap.Logger) (*watcher, error) {
	n, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, err
	}
	w := &watcher{changed: make(chan struct{}, 1), notify: n, log: log, done: make(chan struct{})}
	go w.loop()
	return w, nil
}

func (w *watcher) close() {
	_ = w.notify.Close() // fails only when it is closed
	<-w.done
}

// follow watches these directories and no others. What cannot be watched is left out and said: reloads by signal and
// by request still work.
func (w *watcher) follow(dirs []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, dir := range w.dirs {
		if !slices.Contains(dirs, dir) {
			_ = w.notify.Remove(dir) // the directory may be gone, and its watch with it
		}
	}
	for _, dir := range dirs {
		// Adding again what is watched already changes nothing, and brings back a directory that was replaced.
		if err := w.notify.Add(dir); err != nil && !slices.Contains(w.dirs, dir) {
			w.log.Warn("changes of files will not be noticed here; use SIGHUP", zap.String("directory", dir), zap.Error(err))
		}
	}
	w.dirs = dirs
}

// again puts back the watches of directories that were removed and made anew.
func (w *watcher) again() {
	w.mu.Lock()
	dirs := w.dirs
	w.mu.Unlock()
	w.follow(dirs)
}

// loop gathers events and tells of them.
func (w *watcher) loop() {
	defer close(w.done)
	var first time.Time // of the events that were not told yet
	settled := time.NewTimer(settleFor)
	settled.Stop()
	defer settled.Stop()
	for {
		select {
		case e, more := <-w.notify.Events:
			if !more {
				return
			}
			if e.Op == fsnotify.Chmod {
				continue
			}
			now := time.Now()
			if first.IsZero() {
				first = now
			}
			settled.Reset(min(settleFor, first.Add(settleMax).Sub(now)))
		case err, more := <-w.notify.Errors:
			if !more {
				return
			}
			w.log.Warn("watching files", zap.Error(err)) // events may be lost: look
			w.tell()
		case <-settled.C:
			first = time.Time{}
			w.again()
			w.tell()
		}
	}
}

func (w *watcher) tell() {
	select {
	case w.changed <- struct{}{}:
	default: // one is waiting, and whoever takes it sees this change too
	}
}

// watch begins to follow the files of the configuration. Without it weir works, and is told of changes otherwise.
func (a *app) watch() {
	dirs := watched(a.opt.paths, a.current)
	if len(dirs) == 0 {
		return
	}
	w, err := newWatcher(a.log)
	if err != nil {
		a.log.Warn("changes of files will not be noticed; use SIGHUP", zap.Error(err))
		return
	}
	w.follow(dirs)
	a.watcher = w
}

// watched lists the directories in which a change of the configuration shows: those of the files and of what symbolic
// links lead to.
func watched(paths []string, c *config.Config) []string {
	var dirs []string
	for _, path := range paths {
		if path == config.StdinName {
			continue
		}
		dirs = append(dirs, placesOf(path)...)
		dirs = append(dirs, inside(path)...)
	}
	for _, file := range otherFiles(&c.Weir) {
		dirs = append(dirs, placesOf(file)...)
	}
	slices.Sort(dirs)
	return slices.Compact(dirs)
}

// placesOf are the directory that holds path, and the one that holds what path leads to.
func placesOf(path string) []string {
	dirs := []string{filepath.Dir(path)}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		dirs = append(dirs, filepath.Dir(real))
	}
	return dirs
}

// inside are the directories in which the content of a directory shows: itself, and those of what its links lead to.
// None for a file.
func inside(path string) []string {
	files, err := filepath.Glob(filepath.Join(path, "*.json"))
	if err != nil || !isDirectory(path) {
		return nil
	}
	dirs := []string{path}
	for _, file := range files {
		dirs = append(dirs, placesOf(file)...)
	}
	return dirs
}
