variable "region" {
  description = "The Region."
  type        = string
}

variable "vpc_id" {
  description = "The VPC."
  type        = string
}

variable "services" {
  description = "The services to create an interface endpoint for. ESP needs monitoring. If the subnets have no other way out, tasks also need logs, ecr.api and ecr.dkr, and route_table_ids."
  type        = list(string)
  default     = ["monitoring"]
}

variable "route_table_ids" {
  description = "Route tables of the tasks' subnets. They get a gateway endpoint for S3, which has the layers of images. If the list is empty, none is created."
  type        = list(string)
  default     = []
}

variable "subnet_ids" {
  description = "Subnets for the endpoints' interfaces, one per Availability Zone. AWS charges for each interface by the hour."
  type        = list(string)
}

variable "client_security_group_ids" {
  description = "Security groups of the tasks."
  type        = list(string)
}
