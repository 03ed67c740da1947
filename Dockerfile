# docker build -t subset-bench . && docker run --rm -v "$PWD/results:/app/results" subset-bench
# runs `make repro`. The programs that models write run in WebAssembly and need no privileges; other
# walls of the sandbox may be missing in a container, and columns of code then read "not run":
# --security-opt seccomp=unconfined --cap-add SYS_ADMIN give them back where you trust the host.
FROM python:3.11-slim
RUN apt-get update && apt-get install -y --no-install-recommends git make && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY . .
RUN git config --global --add safe.directory /app && make env
CMD ["make", "repro"]
