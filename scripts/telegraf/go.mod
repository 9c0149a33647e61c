// The Telegraf that the bench `pipeline` measures the station beside; `build.sh` builds it. `go mod tidy` asks for the
// tests of all its plugins: after a change of the version, `go build -mod=mod` with the tags of build.sh renews go.sum.
module infusion-monitor/scripts/telegraf

go 1.25.5

require github.com/influxdata/telegraf v1.37.2
