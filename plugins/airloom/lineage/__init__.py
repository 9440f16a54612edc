"""From records to OpenLineage datasets and facets."""
