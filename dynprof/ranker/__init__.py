"""A ranker: candidates from several sources, counted features, a small network; fitted on what users met next."""
