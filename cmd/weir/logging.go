package main

import (
	"io"
	"os"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"golang.org/x/term"
)

// newLogger logs to w: readable text on a terminal, JSON otherwise, unless format says which. It never fails on a
// level and format that parseLogging has accepted.
func newLogger(w io.Writer, level zapcore.Level, format string) *zap.Logger {
	if format == formatAuto {
		format = formatJSON
		if isTerminal(w) {
			format = formatConsole
		}
	}
	c := zap.NewProductionEncoderConfig()
	c.TimeKey, c.EncodeTime = "ts", zapcore.RFC3339NanoTimeEncoder
	c.EncodeDuration = zapcore.StringDurationEncoder
	encoder := zapcore.NewJSONEncoder(c)
	if format == formatConsole {
		c.EncodeTime = zapcore.TimeEncoderOfLayout("15:04:05.000")
		c.EncodeLevel = zapcore.CapitalLevelEncoder
		c.ConsoleSeparator = "  "
		encoder = zapcore.NewConsoleEncoder(c)
	}
	return zap.New(zapcore.NewCore(encoder, zapcore.Lock(zapcore.AddSync(w)), level))
}

// The words of --log-format.
const (
	formatAuto    = "auto"
	formatConsole = "console"
	formatJSON    = "json"
)

func parseLogging(level, format string) (zapcore.Level, error) {
	l, err := zapcore.ParseLevel(level)
	if err != nil || l > zapcore.ErrorLevel {
		return 0, usage("--log-level %s is not known; use debug, info, warn or error", level)
	}
	if format != formatAuto && format != formatConsole && format != formatJSON {
		return 0, usage("--log-format %s is not known; use auto, console or json", format)
	}
	return l, nil
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
