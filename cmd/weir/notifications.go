package main

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/weirlb/weir/balancer/admin"
	"github.com/weirlb/weir/balancer/notify"
	"github.com/weirlb/weir/config"
)

// notifyGoodbye is how long notifications may take to be delivered at the end.
const notifyGoodbye = 2 * time.Second

// buildNotifier makes the one who tells webhooks. What becomes of each notification is counted, and logged where
// somebody may want to do something about it.
func (a *app) buildNotifier() {
	a.deliveries = admin.NewDeliveries()
	a.notifier = notify.New(notify.Options{
		OnDelivered: func(r notify.Report) {
			a.deliveries.Delivered(r.Webhook)
			a.log.Debug("a notification was delivered", reportFields(&r)...)
		},
		OnRetry: func(r notify.Report) {
			a.deliveries.Retried(r.Webhook)
			a.log.Info("a notification was not taken and is sent again", reportFields(&r)...)
		},
		OnFailed: func(r notify.Report) {
			a.deliveries.Failed(r.Webhook)
			a.log.Warn("a notification could not be delivered", reportFields(&r)...)
		},
		OnDropped: func(r notify.Report) {
			a.deliveries.Dropped(r.Webhook)
			a.log.Warn("a notification was dropped", reportFields(&r)...)
		},
	})
}

func reportFields(r *notify.Report) []zap.Field {
	fields := []zap.Field{
		zap.String("webhook", r.Webhook), zap.String("text", r.Alert.Text), zap.String("type", r.Alert.Type), zap.Int("attempts", r.Attempts),
	}
	if r.Status != 0 {
		fields = append(fields, zap.Int("status", r.Status))
	}
	if r.Pause != 0 {
		fields = append(fields, zap.Duration("again_in", r.Pause))
	}
	if r.Err != nil {
		fields = append(fields, zap.Error(r.Err))
	}
	return fields
}

// closeNotifier lets what waits be delivered, for a moment.
func (a *app) closeNotifier() {
	ctx, cancel := context.WithTimeout(context.Background(), notifyGoodbye)
	defer cancel()
	a.notifier.Close(ctx)
}

// webhookNames are those under which deliveries are counted.
func webhookNames(w *config.Weir) []string {
	var names []string
	for i := range w.Notifications {
		names = append(names, notify.Label(&w.Notifications[i]))
	}
	return names
}

// secrets are what a configuration names and does not hold. They are read before it is put in force, so that nothing can
// be wrong with them any more.
type secrets struct {
	key      []byte // of the cookies of sessions
	webhooks notify.Secrets
}

// readSecrets reads them; key is the one in use, nil before the first.
func readSecrets(w *config.Weir, key []byte) (s secrets, err error) {
	if s.key, err = keepSessionKey(w.Sessions.KeyFile, key); err != nil {
		return s, err
	}
	s.webhooks, err = notify.ReadSecrets(w.Notifications)
	return s, err
}
