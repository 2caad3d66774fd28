package config

func (l *loader) lint() {}
