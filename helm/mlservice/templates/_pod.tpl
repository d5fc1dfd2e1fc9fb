{{/* All of these are called with root, role and the role's facts. */}}

{{- define "mlservice.podMetadata" -}}
labels: {{ include "mlservice.labels" .root | nindent 2 }}
  app.kubernetes.io/component: {{ .role }}
annotations:
  checksum/config: {{ include (print .root.Template.BasePath "/configmap.yaml") .root | sha256sum }}
  {{- if include "mlservice.isVault" .root }}
  {{- include "mlservice.vault" . | nindent 2 }}
  {{- end }}
  {{- with .root.Values.podAnnotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{/* An agent that runs once, before all else, and writes each key that the role reads to a file. */}}
{{- define "mlservice.vault" -}}
{{- $vault := .root.Values.secrets.vault -}}
{{- $secret := ternary "owner" "app" (not (empty .facts.owner)) -}}
vault.hashicorp.com/agent-inject: "true"
vault.hashicorp.com/agent-init-first: "true"
vault.hashicorp.com/agent-pre-populate-only: "true"
vault.hashicorp.com/agent-run-as-user: "10001"
vault.hashicorp.com/agent-run-as-group: "10001"
vault.hashicorp.com/agent-service-account-token-volume-name: vault-token
vault.hashicorp.com/auth-path: {{ $vault.authPath | quote }}
vault.hashicorp.com/role: {{ ternary $vault.ownerRole $vault.role (eq $secret "owner") | quote }}
{{- with $vault.address }}
vault.hashicorp.com/service: {{ . | quote }}
{{- end }}
vault.hashicorp.com/preserve-secret-case: "true"
{{- $keys := dict "app" (concat (include "mlservice.requiredKeys" . | fromJsonArray) .facts.optional) "owner" (.facts.owner | default list) }}
{{- range $part, $names := $keys }}
{{- $path := printf "%s/data/%s/%s" $vault.mount $vault.path $part }}
{{- range $names }}
vault.hashicorp.com/agent-inject-secret-{{ . }}: {{ $path | quote }}
vault.hashicorp.com/agent-inject-template-{{ . }}: {{ printf "{{ with secret %q }}{{ with .Data.data.%s }}{{ . }}{{ end }}{{ end }}" $path . | squote }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "mlservice.requiredKeys" -}}
{{- toJson (concat (list "SECRET_KEY" "JWT_SIGNING_KEY" "DATABASE_URL") .facts.secrets) -}}
{{- end -}}

{{- define "mlservice.pod" -}}
{{- $values := index .root.Values .role -}}
serviceAccountName: {{ include "mlservice.name" .root }}-{{ .role }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
securityContext: {{ include "mlservice.podSecurity" 10001 | nindent 2 }}
volumes:
  - name: tmp
    emptyDir: {sizeLimit: {{ $values.tmpSize | default "64Mi" }}}
  {{- if .facts.loads }}
  - name: models
    emptyDir: {sizeLimit: {{ .root.Values.modelsSize }}}
  {{- end }}
  {{- if include "mlservice.isVault" .root }}
  # For Vault's agent alone: no container of the service mounts it.
  - name: vault-token
    projected:
      sources:
        - serviceAccountToken:
            path: token
            audience: {{ .root.Values.secrets.vault.audience | quote }}
            expirationSeconds: 600
  {{- end }}
{{- end -}}

{{- define "mlservice.env" -}}
{{- $root := .root -}}
{{- if not (has "BROKER_URL" .facts.secrets) }}
# It never speaks to the broker, and holds no key of it.
- name: BROKER_URL
  value: amqp://
{{- end }}
{{- if not (has "STRIPE_API_KEY" .facts.optional) }}
# Who takes no payments need not be able to.
- name: TOP_UP_PROVIDERS
  value: ""
{{- end }}
{{- if .facts.loads }}
- name: MODEL_STORE_DIR
  value: /models
{{- end }}
{{- if eq .role "web" }}
- name: POD_IP
  valueFrom: {fieldRef: {fieldPath: status.podIP}}
# The probes' own name and the address that Prometheus asks stand beside the names people use.
- name: ALLOWED_HOSTS
  value: {{ printf "%s,127.0.0.1,$(POD_IP)" (join "," $root.Values.allowedHosts) | quote }}
{{- end }}
{{- with (index $root.Values .role).concurrency }}
- name: WORKER_CONCURRENCY
  value: {{ . | quote }}
{{- end }}
{{- if has "METRICS_TOKEN" .facts.optional }}
{{- if ne .role "web" }}
- name: METRICS_PORT
  value: "9100"
{{- end }}
{{- end }}
{{- if include "mlservice.isVault" $root }}
{{- range concat (include "mlservice.requiredKeys" . | fromJsonArray) .facts.optional (.facts.owner | default list) }}
- name: {{ . }}_FILE
  value: /vault/secrets/{{ . }}
{{- end }}
{{- else }}
{{- range include "mlservice.requiredKeys" . | fromJsonArray }}
- name: {{ . }}
  valueFrom: {secretKeyRef: {name: {{ include "mlservice.appSecret" $root }}, key: {{ . }}}}
{{- end }}
{{- range .facts.optional }}
- name: {{ . }}
  valueFrom: {secretKeyRef: {name: {{ include "mlservice.appSecret" $root }}, key: {{ . }}, optional: true}}
{{- end }}
{{- range .facts.owner }}
- name: {{ . }}
  valueFrom: {secretKeyRef: {name: {{ include "mlservice.ownerSecret" $root }}, key: {{ . }}}}
{{- end }}
{{- end }}
{{- end -}}

{{- define "mlservice.container" -}}
{{- $image := ternary (merge (dict) .root.Values.models.image (omit .root.Values.image "repository" "digest")) .root.Values.image (eq .role "models") -}}
image: {{ include "mlservice.image" (merge (dict "appVersion" .root.Chart.AppVersion) $image) | quote }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
envFrom:
  - configMapRef: {name: {{ include "mlservice.name" .root }}}
env: {{- include "mlservice.env" . | nindent 2 }}
securityContext: {{ include "mlservice.containerSecurity" . | nindent 2 }}
volumeMounts:
  - {name: tmp, mountPath: /tmp}
  {{- if .facts.loads }}
  - {name: models, mountPath: /models}
  {{- end }}
{{- end -}}

{{/* They wait within bounds: who waits in vain fails, says for what, and is started again. */}}
{{- define "mlservice.waits" -}}
{{- $call := . -}}
{{- $waits := .facts.waits -}}
{{- if not .root.Values.models.enabled }}{{ $waits = without $waits "models" }}{{ end -}}
{{- range $waits }}
- name: wait-for-{{ . }}
  args: [wait_for, {{ . }}, "--seconds", {{ $call.root.Values.waitSeconds | quote }}]
  resources: {{ toYaml $call.root.Values.waiting.resources | nindent 4 }}
  {{- include "mlservice.container" $call | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "mlservice.probes" -}}
{{- if eq .role "web" }}
{{- $host := "httpHeaders: [{name: Host, value: 127.0.0.1}]" }}
startupProbe:
  httpGet: {path: /livez, port: http, {{ $host }}}
  periodSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /livez, port: http, {{ $host }}}
  timeoutSeconds: 5
readinessProbe:
  httpGet: {path: /readyz, port: http, {{ $host }}}
  periodSeconds: 5
  timeoutSeconds: 5
{{- else }}
{{- $command := printf "command: [python, deploy/health.py, %s]" .role }}
startupProbe:
  exec: { {{- $command -}} }
  periodSeconds: 10
  timeoutSeconds: 15
  failureThreshold: 30
livenessProbe:
  exec: { {{- $command -}} }
  periodSeconds: 30
  timeoutSeconds: 15
readinessProbe:
  exec: { {{- $command -}} }
  periodSeconds: 30
  timeoutSeconds: 15
{{- end }}
{{- end -}}
