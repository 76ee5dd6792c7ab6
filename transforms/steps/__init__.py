"""Steps of a pipeline, one file each; a step never imports a step."""
