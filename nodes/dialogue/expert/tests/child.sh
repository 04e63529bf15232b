#!/bin/sh
# Stands for `troika-slm --chat` in embedded.rs, and answers by what is in the question's line. As of the program that it stands for: an answer
# ends once, and a cancel that comes after its end is told nothing.
[ "$1" = --chat ] || { echo "told $1" >&2; exit 9; }
if [ "$2" = --no-model ]; then echo "model is not here: troika models pull it" >&2; exit 1; fi
echo '{"ready":{"model":"a-script","context_tokens":100}}'
open=
say() { echo "{\"text\":{\"id\":$id,\"text\":\"$1\"}}"; }
end() { echo "{\"end\":{\"id\":$id,\"reason\":\"$1\",\"prompt_tokens\":7,\"completion_tokens\":2}}"; }
while read -r line; do
  case $line in
    '{"cancel":'*) [ -z "$open" ] || end "$open"; open=; continue;;
  esac
  id=${line##*\"id\":}; id=${id%%[,\}]*}
  case $line in
    *too-long*) echo "{\"refused\":{\"id\":$id,\"why\":\"no room\"}}"; continue;;
  esac
  echo "{\"begun\":{\"id\":$id,\"prompt_tokens\":7,\"dropped_messages\":0}}"
  echo "{\"read\":{\"id\":$id}}"
  say "One"
  case $line in
    *die*) echo "out of luck" >&2; exit 3;;
    *nonsense*) echo 'what?'; continue;;
    *for-ever*) open=cancelled; continue;;
    *just-over*) open=stop; continue;;
    *fails*) echo "{\"failed\":{\"id\":$id,\"why\":\"no memory\"}}"; continue;;
  esac
  say ""; say " é"
  end stop
done
