# One image for the API, the worker, forwarding and the migration; the command decides. TypeScript runs as it is (type
# stripping), so nothing is compiled but the workflow bundle. glibc: Temporal's native part has no musl build.
FROM node:24.21.0-bookworm-slim AS base
WORKDIR /app

FROM base AS packages
COPY package.json package-lock.json ./
# No install scripts: the image has its Node 24, and native parts come prebuilt.
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund

FROM packages AS bundle
COPY contract ./contract
COPY workflows ./workflows
COPY worker ./worker
# By the same @temporalio/worker that runs it.
RUN node worker/bundle.ts workflow-bundle.js

FROM base
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates \
 && rm -rf /var/lib/apt/lists/*
COPY package.json LICENSE ./
COPY --from=packages /app/node_modules ./node_modules
COPY --from=bundle /app/workflow-bundle.js ./
COPY contract ./contract
COPY workflows ./workflows
COPY activities ./activities
COPY db ./db
COPY email ./email
COPY images ./images
COPY meta ./meta
COPY temporal ./temporal
COPY auth ./auth
COPY targets ./targets
COPY delivery ./delivery
COPY api ./api
COPY worker ./worker
COPY deploy/keys.ts ./deploy/keys.ts
ENV NODE_ENV=production WORKFLOW_BUNDLE=/app/workflow-bundle.js HOST=0.0.0.0
USER node
EXPOSE 3000 9464
# The port of metrics and health is the same for each process.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=6 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.METRICS_PORT || 9464}/metrics`).then((r) => process.exit(r.ok ? 0 : 1))"]
# The young generation would otherwise grow to 128 MB on a large machine.
CMD ["node", "--max-semi-space-size=16", "api/main.ts"]
