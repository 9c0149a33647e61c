"""The dashboards of `dashboards/*.json`, written by `python -m deploy.grafana.make`."""
