output "endpoint_id" {
  description = "The endpoint's id."
  value       = aws_vpc_endpoint.monitoring.id
}
