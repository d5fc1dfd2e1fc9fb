{{/* Small stores for an evaluation: one pod each, without copies or backups. Called with root and
     component; the pod's own part is the template mlservice.<component>. */}}
{{- define "mlservice.store" -}}
{{- $values := index .root.Values.stores .component }}
{{- if include "mlservice.isVault" .root }}
{{- fail "stores need their passwords in a Secret: say secrets.mode existingSecret or externalSecret" }}
{{- end }}
---
apiVersion: v1
kind: Service
metadata: {{ include "mlservice.metadata" . | nindent 2 }}
spec:
  selector: {{ include "mlservice.componentSelector" . | nindent 4 }}
  ports:
    - {name: store, port: {{ $values.port }}, targetPort: store}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {{ include "mlservice.metadata" . | nindent 2 }}
spec:
  replicas: 1
  serviceName: {{ include "mlservice.name" .root }}-{{ .component }}
  selector:
    matchLabels: {{ include "mlservice.componentSelector" . | nindent 6 }}
  template:
    metadata:
      labels: {{ include "mlservice.labels" .root | nindent 8 }}
        app.kubernetes.io/component: {{ .component }}
    spec:
      serviceAccountName: {{ include "mlservice.name" .root }}-{{ .component }}
      automountServiceAccountToken: false
      enableServiceLinks: false
      terminationGracePeriodSeconds: 60
      securityContext: {{ include "mlservice.podSecurity" $values.user | nindent 8 }}
      containers:
        - name: {{ .component }}
          image: {{ include "mlservice.image" $values.image | quote }}
          imagePullPolicy: {{ .root.Values.image.pullPolicy }}
          securityContext: {{ include "mlservice.containerSecurity" . | nindent 12 }}
          resources: {{ toYaml $values.resources | nindent 12 }}
          ports:
            - {name: store, containerPort: {{ $values.port }}}
          {{- include (printf "mlservice.%s" .component) . | nindent 10 }}
      volumes:
        - name: tmp
          emptyDir: {sizeLimit: 64Mi}
        {{- if eq .component "postgres" }}
        - name: run
          emptyDir: {sizeLimit: 1Mi}
        # What PostgreSQL's processes share: a container's own would be too small.
        - name: shm
          emptyDir: {medium: Memory, sizeLimit: 256Mi}
        - name: scripts
          configMap: {name: {{ include "mlservice.name" .root }}-stores}
        {{- end }}
  volumeClaimTemplates:
    - metadata: {name: data}
      spec:
        accessModes: [ReadWriteOnce]
        {{- with $values.storageClass }}
        storageClassName: {{ . }}
        {{- end }}
        resources: {requests: {storage: {{ $values.size }}}}
{{- end -}}

{{- define "mlservice.fromOwner" -}}
valueFrom: {secretKeyRef: {name: {{ include "mlservice.ownerSecret" .root }}, key: {{ .key }}}}
{{- end -}}

{{- define "mlservice.postgres" -}}
{{- $alive := "{exec: {command: [pg_isready, --host, 127.0.0.1, --username, mlservice_owner, --dbname, mlservice]}, timeoutSeconds: 5, periodSeconds: 10" -}}
# Room for every thread of the web processes beside relay, workers and operators.
args: [postgres, -c, max_connections=300]
env:
  - {name: POSTGRES_DB, value: mlservice}
  - {name: POSTGRES_USER, value: mlservice_owner}
  - {name: PGDATA, value: /var/lib/postgresql/data/pgdata}
  - name: POSTGRES_PASSWORD
    {{- include "mlservice.fromOwner" (dict "root" .root "key" "POSTGRES_PASSWORD") | nindent 4 }}
  - name: DATABASE_PASSWORD
    {{- include "mlservice.fromOwner" (dict "root" .root "key" "DATABASE_PASSWORD") | nindent 4 }}
startupProbe: {{ $alive }}, failureThreshold: 30}
livenessProbe: {{ $alive }}, failureThreshold: 6}
readinessProbe: {{ $alive }}}
volumeMounts:
  - {name: data, mountPath: /var/lib/postgresql/data}
  - {name: run, mountPath: /var/run/postgresql}
  - {name: tmp, mountPath: /tmp}
  - {name: shm, mountPath: /dev/shm}
  - {name: scripts, mountPath: /docker-entrypoint-initdb.d/create_role.sh, subPath: create_role.sh, readOnly: true}
{{- end -}}

{{- define "mlservice.rabbitmq" -}}
{{- $alive := "{exec: {command: [rabbitmq-diagnostics, --quiet, check_port_connectivity]}, timeoutSeconds: 15, periodSeconds: 30" -}}
env:
  # The node's name is its data's name, whatever the pod is called.
  - {name: RABBITMQ_NODENAME, value: rabbit@localhost}
  # Its upgrades are logged to a file, whatever the rest is, and the root is read-only.
  - {name: RABBITMQ_LOG_BASE, value: /tmp}
  - {name: RABBITMQ_DEFAULT_USER, value: mlservice}
  - name: RABBITMQ_DEFAULT_PASS
    {{- include "mlservice.fromOwner" (dict "root" .root "key" "RABBITMQ_PASSWORD") | nindent 4 }}
startupProbe: {{ $alive }}, failureThreshold: 10}
livenessProbe: {{ $alive }}}
readinessProbe: {{ $alive }}}
volumeMounts:
  - {name: data, mountPath: /var/lib/rabbitmq}
  - {name: tmp, mountPath: /tmp}
{{- end -}}

{{- define "mlservice.minio" -}}
args: [server, /data]
env:
  # It makes a folder there, and ends where it may not.
  - {name: HOME, value: /tmp}
  - {name: MINIO_ROOT_USER, value: mlservice-root}
  - name: MINIO_ROOT_PASSWORD
    {{- include "mlservice.fromOwner" (dict "root" .root "key" "MINIO_ROOT_PASSWORD") | nindent 4 }}
startupProbe: {httpGet: {path: /minio/health/live, port: store}, periodSeconds: 3, failureThreshold: 30}
livenessProbe: {httpGet: {path: /minio/health/live, port: store}, timeoutSeconds: 5}
readinessProbe: {httpGet: {path: /minio/health/ready, port: store}, timeoutSeconds: 5}
volumeMounts:
  - {name: data, mountPath: /data}
  - {name: tmp, mountPath: /tmp}
{{- end -}}
