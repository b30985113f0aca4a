#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The runbook: what its steps print is all that is known about the result.
set -euo pipefail
kubectl apply -f "$NAMESPACES"
for chart in kmcp-crds kmcp; do
  helm upgrade --install "$chart" "$CHARTS/$chart" --version "$KMCP_VERSION" --namespace kmcp-system \
    --ca-file "$REGISTRY_CA_FILE" --values "$VALUES"
done
kubectl apply -f "$MCP_SERVER"
kubectl -n kmcp-system rollout status deployment/kmcp-controller-manager --timeout=120s
kubectl -n mcp wait mcpserver/echo --for=condition=Programmed --timeout=60s
kubectl -n mcp rollout status deployment/echo --timeout=60s
