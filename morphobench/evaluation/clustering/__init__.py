"""Parts of the clustering task: neighbour graph, UMAP, scores, enrichment of clusters."""
