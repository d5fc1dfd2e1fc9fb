{{- define "mlservice.name" -}}
{{/* The chart's own name stays whole: alert rules know our targets by it. */}}
{{- printf "%s-%s" (.Release.Name | trunc 30 | trimSuffix "-") .Chart.Name -}}
{{- end -}}

{{- define "mlservice.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "mlservice.labels" -}}
{{ include "mlservice.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{/* The head of every object, called with root, component and, where it is not both, name. */}}
{{- define "mlservice.metadata" -}}
name: {{ .name | default (printf "%s-%s" (include "mlservice.name" .root) .component) }}
namespace: {{ .root.Release.Namespace }}
labels: {{ include "mlservice.labels" .root | nindent 2 }}
  app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "mlservice.componentSelector" -}}
{{ include "mlservice.selector" .root }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "mlservice.image" -}}
{{- $tag := .tag | default .appVersion -}}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ $tag }}{{ end -}}
{{- end -}}

{{/* What each role of the image is: the secrets it reads beside those of all, whom it calls,
     what it waits for, and whether it loads models. Nobody knows more than it needs. */}}
{{- define "mlservice.roles" -}}
web:
  secrets: [AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY]
  optional: [LISTEN_DATABASE_URL, METRICS_TOKEN, STRIPE_API_KEY, STRIPE_WEBHOOK_SECRET, SECRET_KEY_FALLBACKS, JWT_SIGNING_KEY_FALLBACKS, DEMO_ADMIN_PASSWORD, DEMO_CLIENT_PASSWORD]
  calls: [postgres, s3, payments]
  waits: [migrations]
  loads: true
relay:
  secrets: [BROKER_URL]
  optional: [LISTEN_DATABASE_URL, METRICS_TOKEN]
  calls: [postgres, rabbitmq]
  waits: [migrations]
worker:
  secrets: [BROKER_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY]
  optional: [LISTEN_DATABASE_URL, METRICS_TOKEN]
  calls: [postgres, rabbitmq, s3]
  waits: [migrations, models]
  loads: true
bulk:
  secrets: [BROKER_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY]
  optional: [LISTEN_DATABASE_URL, METRICS_TOKEN]
  calls: [postgres, rabbitmq, s3]
  waits: [migrations, models]
  loads: true
duties:
  secrets: [BROKER_URL]
  optional: [LISTEN_DATABASE_URL, METRICS_TOKEN, STRIPE_API_KEY, STRIPE_WEBHOOK_SECRET, EMAIL_HOST_PASSWORD]
  calls: [postgres, rabbitmq, payments, mail]
  waits: [migrations]
beat:
  secrets: [BROKER_URL]
  optional: []
  calls: [rabbitmq]
  waits: []
migrate:
  secrets: []
  optional: [LISTEN_DATABASE_URL]
  owner: [MIGRATION_DATABASE_URL]
  calls: [postgres]
  waits: [database]
models:
  secrets: [AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY]
  optional: [LISTEN_DATABASE_URL]
  calls: [postgres, s3]
  waits: [migrations]
  loads: true
{{- end -}}

{{/* The roles that a release runs for good. */}}
{{- define "mlservice.lasting" -}}
{{- $names := list "web" "relay" "worker" -}}
{{- if .Values.bulk.enabled }}{{ $names = append $names "bulk" }}{{ end -}}
{{- toJson (concat $names (list "duties" "beat")) -}}
{{- end -}}

{{/* Those of which there may be several. */}}
{{- define "mlservice.scalable" -}}
{{- toJson (without (include "mlservice.lasting" . | fromJsonArray) "beat") -}}
{{- end -}}

{{- define "mlservice.isScaledByBacklog" -}}
{{- if and .root.Values.keda.enabled (has .role (list "worker" "bulk")) }}true{{ end -}}
{{- end -}}

{{- define "mlservice.jobs" -}}
{{- toJson (ternary (list "migrate" "models") (list "migrate") .Values.models.enabled) -}}
{{- end -}}

{{- define "mlservice.stores" -}}
{{- $names := list -}}
{{- range list "postgres" "rabbitmq" "minio" }}
{{- if (index $.Values.stores .).enabled }}{{ $names = append $names . }}{{ end }}
{{- end -}}
{{- toJson $names -}}
{{- end -}}

{{/* Everything that runs: each has an account of its own. */}}
{{- define "mlservice.components" -}}
{{- $names := concat (include "mlservice.lasting" . | fromJsonArray) (include "mlservice.jobs" . | fromJsonArray) (include "mlservice.stores" . | fromJsonArray) (list "test") -}}
{{- if .Values.stores.minio.enabled }}{{ $names = append $names "bucket" }}{{ end -}}
{{- toJson $names -}}
{{- end -}}

{{- define "mlservice.isVault" -}}
{{- if eq .Values.secrets.mode "vaultInjector" }}true{{ end -}}
{{- end -}}

{{- define "mlservice.appSecret" -}}
{{- if eq .Values.secrets.mode "existingSecret" -}}
{{- required "secrets.existingSecret must name the Secret with the service's keys and addresses" .Values.secrets.existingSecret -}}
{{- else }}{{ include "mlservice.name" . }}-app{{ end -}}
{{- end -}}

{{- define "mlservice.ownerSecret" -}}
{{- if eq .Values.secrets.mode "existingSecret" -}}
{{- required "secrets.existingOwnerSecret must name the Secret with MIGRATION_DATABASE_URL" .Values.secrets.existingOwnerSecret -}}
{{- else }}{{ include "mlservice.name" . }}-owner{{ end -}}
{{- end -}}

{{/* Longer than one task may take, so that a stop interrupts none. */}}
{{- define "mlservice.grace" -}}
{{- $limit := .root.Values.config.PREDICTION_TIME_LIMIT_SECONDS | default 30 -}}
{{- add (ternary .root.Values.duties.taskSeconds $limit (eq .role "duties")) 15 -}}
{{- end -}}

{{- define "mlservice.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ . }}
runAsGroup: {{ . }}
fsGroup: {{ . }}
# Ownership is set once: a restart must not wait for it, nor loosen the mode of a key file.
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "mlservice.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities: {drop: [ALL]}
{{- end -}}
