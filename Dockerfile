# One image for all services: what it is, the command says (`node main/command-side.ts`, `node cli/parley.ts migrate`, …).

FROM node:24-slim AS packages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# No install script is needed: the image has its Node, and no package of ours builds anything.
RUN npm ci --omit=dev --ignore-scripts

FROM node:24-slim
ENV NODE_ENV=production
WORKDIR /app
# What is mounted here takes its owner from here.
RUN install -d -o node -g node -m 0700 /data
COPY --from=packages /app/node_modules node_modules
# TypeScript runs as it is: there is nothing to build. .dockerignore keeps the tests out.
COPY package.json ./
COPY schemas schemas
COPY domain domain
COPY event-log event-log
COPY command-side command-side
COPY projections projections
COPY query-api query-api
COPY realtime realtime
COPY client client
COPY main main
COPY cli cli
# Sources belong to root and the process to somebody else: it cannot change what it runs. By number, so that a cluster can
# see that it is not root.
USER 1000:1000
ENV PARLEY_HOST=0.0.0.0 PARLEY_PORT=8080 PARLEY_DATA=/data
EXPOSE 8080
CMD ["node", "main/embedded.ts"]
