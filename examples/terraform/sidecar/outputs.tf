output "container_definition" {
  description = "To be put into the list of the task definition: jsonencode([local.web, module.esp.container_definition])."
  value       = local.container_definition
}

output "namespace" {
  description = "For the module ../scaling, so that the alarms watch what is published."
  value       = var.namespace
}
