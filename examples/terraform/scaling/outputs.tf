output "alarm_arns" {
  description = "Both alarms, for a dashboard or a composite alarm."
  value = {
    out = aws_cloudwatch_metric_alarm.out.arn
    in  = aws_cloudwatch_metric_alarm.in.arn
  }
}

output "policy_arns" {
  description = "Both scaling policies."
  value = {
    out = aws_appautoscaling_policy.out.arn
    in  = aws_appautoscaling_policy.in.arn
  }
}
