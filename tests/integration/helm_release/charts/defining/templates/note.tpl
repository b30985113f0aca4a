# SPDX-License-Identifier: GPL-3.0-or-later
apiVersion: example.invalid/v1
kind: Note
metadata:
  name: {{ .Release.Name }}
spec:
  text: {{ .Values.text | quote }}
  {{- with .Values.colour }}
  colour: {{ . }}
  {{- end }}
