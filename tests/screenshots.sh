#!/usr/bin/env bash
# Makes the pictures that the README shows, in src/docs/images: real pages of a real run.
#
#   bash tests/screenshots.sh
#
# Needs what `bash tests/run.sh` installs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

CI=true cargo test --locked --test pages_browser -- --ignored --exact pictures_for_the_readme
ls -l src/docs/images
