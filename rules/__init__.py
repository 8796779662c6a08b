"""The rules as code: `build` renders what `values.yaml` says; nothing of it is needed to use the rendered files."""
