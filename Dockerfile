# docker build -t subset-bench . && docker run --rm -v "$PWD/results:/app/results" subset-bench
# runs `make repro`. The programs that models write run in WebAssembly, which needs no privilege of the
# container; where it does not start all the same, columns of code read "not run" and say why.
FROM python:3.11-slim
RUN apt-get update && apt-get install -y --no-install-recommends git make && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY . .
RUN git config --global --add safe.directory /app && make env
CMD ["make", "repro"]
