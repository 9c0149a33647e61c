#!/bin/sh
# One backup of the journal: made, verified, named for its time, and only then older ones removed.
# Needs PROGRAM, DATA_DIR, BACKUPS and KEEP_DAYS in the environment; ends with an error, and with every older backup
# still there, when the backup cannot be made or does not hold.
set -eu
file="$BACKUPS/journal-$(date -u +%Y-%m-%dT%H%M%SZ).sqlite"
rm -f "$BACKUPS"/*.part "$BACKUPS"/*.part-*
"$PROGRAM" backup "$file.part" --data-dir "$DATA_DIR"
"$PROGRAM" verify "$file.part"
mv "$file.part" "$file"
find "$BACKUPS" -maxdepth 1 -type f -name 'journal-*.sqlite' -mtime "+$((KEEP_DAYS - 1))" -delete
echo "made and verified $file"
