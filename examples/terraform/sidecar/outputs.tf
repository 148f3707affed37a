output "container_definition" {
  description = "The container, for the task definition's list: jsonencode([local.web, module.esp.container_definition])."
  value       = local.container_definition
  # Whatever uses it is created after the permission, so no task starts without.
  depends_on = [aws_iam_role_policy.publish]
}

output "namespace" {
  description = "For the module ../scaling, so that the alarms watch what is published."
  value       = var.namespace
}
