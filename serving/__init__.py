"""Bundle to answers: engine, translator, HTTP and Ray Serve. Runs without torch."""
