output "endpoint_ids" {
  description = "The endpoints' ids, by service."
  value       = { for service, endpoint in aws_vpc_endpoint.interface : service => endpoint.id }
}
