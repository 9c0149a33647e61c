//go:build tools

// Package tools names what is built here, so that `go mod tidy` keeps the checksums of all of it in go.sum.
// The server itself is a program, which cannot be imported: these are the packages that it is put together from.
package tools

import (
	_ "github.com/influxdata/influxdb/v2/cmd/influxd/inspect"
	_ "github.com/influxdata/influxdb/v2/cmd/influxd/launcher"
	_ "github.com/influxdata/influxdb/v2/cmd/influxd/recovery"
	_ "github.com/influxdata/influxdb/v2/cmd/influxd/upgrade"
	_ "github.com/influxdata/pkg-config"
)
