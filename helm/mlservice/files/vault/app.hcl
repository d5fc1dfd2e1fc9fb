# What the service's processes may ask of Vault: their own secret, and nothing else.
path "kv/data/mlservice/app" {
  capabilities = ["read"]
}
