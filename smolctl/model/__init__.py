"""What a model is: references, manifests, configs and GGUF headers. No network, no disk writes."""
