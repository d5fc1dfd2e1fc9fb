{{- define "mlservice.name" -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 48 | trimSuffix "-" -}}
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

{{- define "mlservice.secret" -}}
{{- required "secrets.existingSecret must name the Secret with the service's keys and addresses" .Values.secrets.existingSecret -}}
{{- end -}}

{{/* Both are called with root and role; a role may name more secrets than all have. */}}
{{- define "mlservice.pod" -}}
serviceAccountName: {{ include "mlservice.name" .root }}-{{ .role }}
automountServiceAccountToken: false
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
volumes:
  - name: tmp
    emptyDir: {}
{{- end -}}

{{- define "mlservice.container" -}}
name: {{ .role }}
image: {{ printf "%s:%s" .root.Values.image.repository (.root.Values.image.tag | default .root.Chart.AppVersion) | quote }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
args: [{{ .role }}]
envFrom:
  - configMapRef:
      name: {{ include "mlservice.name" .root }}
env:
{{- range concat (list "SECRET_KEY" "JWT_SIGNING_KEY" "DATABASE_URL" "BROKER_URL") (.secrets | default list) }}
  - name: {{ . }}
    valueFrom:
      secretKeyRef:
        name: {{ include "mlservice.secret" $.root }}
        key: {{ . }}
{{- end }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
resources: {{ toYaml (index .root.Values .role).resources | nindent 2 }}
volumeMounts:
  - name: tmp
    mountPath: /tmp
{{- end -}}
