# What the migration may ask besides: the address of the tables' owner.
path "kv/data/mlservice/owner" {
  capabilities = ["read"]
}
