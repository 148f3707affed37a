output "container_definition" {
  description = "The container, for the task definition's list: jsonencode([local.web, module.esp.container_definition])."
  value       = local.container_definition
  # Resources that use this output are created after the permission, so every task has it.
  depends_on = [aws_iam_role_policy.publish]
}

output "namespace" {
  description = "For the module ../scaling, so that the alarms watch what is published."
  value       = var.namespace
}
