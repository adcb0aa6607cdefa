{{/* Labels of an object; called with the component's name, or "" for what both components share. */}}
{{- define "ringbolt.labels" -}}
app.kubernetes.io/name: ringbolt
{{- with . }}
app.kubernetes.io/component: {{ . }}
{{- end }}
app.kubernetes.io/part-of: ringbolt
{{- end }}

{{/* Labels by which a workload finds its pods. */}}
{{- define "ringbolt.pods" -}}
app.kubernetes.io/name: ringbolt
app.kubernetes.io/component: {{ . }}
{{- end }}

{{- define "ringbolt.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{/* What both daemons are told beyond their defaults. */}}
{{- define "ringbolt.settings" -}}
{{- if not .Values.defaultProvider }}
- name: RINGBOLT_DEFAULT_PROVIDER
  value: "false"
{{- end }}
{{- if ne (join "," .Values.loadBalancerClasses) "ringbolt.io/ringbolt" }}
- name: RINGBOLT_LOAD_BALANCER_CLASS
  value: {{ join "," .Values.loadBalancerClasses | quote }}
{{- end }}
{{- if ne .Values.log.format "text" }}
- name: RINGBOLT_LOG_FORMAT
  value: {{ .Values.log.format | quote }}
{{- end }}
{{- if ne .Values.log.level "info" }}
- name: RINGBOLT_LOG_LEVEL
  value: {{ .Values.log.level | quote }}
{{- end }}
{{- end }}
