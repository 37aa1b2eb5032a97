"""What a tool is: decorator, ports, spec, registry, call and digest."""
