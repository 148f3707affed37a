output "alarm_arns" {
  description = "Both alarms."
  value       = module.scaling.alarm_arns
}
