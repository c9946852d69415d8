#!/bin/sh
# Creates the namespace, where closed workflows stay for 30 days, and the search attributes of the product.
# Safe to repeat; fails when an attribute exists with another type. The CLI reads TEMPORAL_ADDRESS and
# TEMPORAL_NAMESPACE from the environment.
set -eu

if temporal operator namespace describe --namespace "$TEMPORAL_NAMESPACE" >/dev/null 2>&1; then
  echo "Namespace $TEMPORAL_NAMESPACE is there"
else
  temporal operator namespace create --namespace "$TEMPORAL_NAMESPACE" --retention 720h
fi

add_search_attributes() {
  temporal operator search-attribute create \
    --name NumberStatus --type Keyword \
    --name NextActionAt --type Datetime \
    --name NumberOwner --type Keyword
}

# The server learns of a new namespace within seconds, not at once.
tries=1
until add_search_attributes; do
  [ "$tries" -ge 30 ] && exit 1
  tries=$((tries + 1))
  sleep 2
done
