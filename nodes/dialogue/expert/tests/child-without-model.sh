#!/bin/sh
# Stands for `troika-slm --chat` where the model has not been fetched.
exec "${0%/*}/child.sh" "$1" --no-model
