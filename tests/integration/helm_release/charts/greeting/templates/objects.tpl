{{- /* SPDX-License-Identifier: GPL-3.0-or-later */ -}}
{{- if .Values.refuse }}{{ fail .Values.refuse }}{{ end }}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-text
data:
  text: {{ .Values.text | quote }}
  started: 12:30
---
apiVersion: v1
kind: Secret
metadata:
  name: {{ .Release.Name }}-login
stringData:
  password: {{ .Values.password | quote }}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ .Release.Name }}
spec:
  selector: {app: {{ .Release.Name }}}
  ports:
    - {name: http, port: 80, targetPort: http}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
spec:
  replicas: {{ .Values.replicas }}
  selector:
    matchLabels: {app: {{ .Release.Name }}}
  template:
    metadata:
      labels: {app: {{ .Release.Name }}}
    spec:
      securityContext: {runAsNonRoot: true, runAsUser: 65532, seccompProfile: {type: RuntimeDefault}}
      containers:
        - name: main
          image: {{ .Values.image }}
          args: []
          env:
            - {name: GREETING, value: {{ .Values.text | quote }}}
          ports:
            - {name: http, containerPort: 8080}
          resources:
            limits: {cpu: 0.1, memory: 64Mi}
          securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: {{ .Release.Namespace }}-{{ .Release.Name }}
rules:
  - apiGroups: [""]
    resources: [configmaps]
    verbs: [get, list]
{{- if or .Values.hold .Values.holdAt }}
---
# a hook that never ends keeps helm at work until it is killed
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ .Release.Name }}-hold
  annotations: {helm.sh/hook: {{ .Values.holdAt | default "pre-install,pre-upgrade" | quote }}}
spec:
  suspend: true
  template:
    spec:
      restartPolicy: Never
      containers:
        - {name: main, image: {{ .Values.image }}}
{{- end }}
